# SPDX-License-Identifier: MIT
"""Triton kernels. The only package that imports triton; nothing outside the fast backends imports it.

Every kernel also runs in Triton's interpreter (TRITON_INTERPRET=1), which is how they are tested without a GPU.
"""
