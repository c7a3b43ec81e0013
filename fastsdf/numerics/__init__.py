# SPDX-License-Identifier: MIT
"""Small numerical tools on tensors, without geometry of their own.

In: tensors on any device. Out: tensors on the same device. Start reading at `quantiles`.
"""
