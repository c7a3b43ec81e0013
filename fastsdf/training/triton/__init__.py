# SPDX-License-Identifier: MIT
"""Triton kernels of the Adam step and of the losses; imported only on machines where triton runs."""
