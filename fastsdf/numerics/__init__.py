# SPDX-License-Identifier: MIT
"""General numerical functions on tensors and arrays.

In: tensors on any device. Out: tensors on the same device. Start reading at `quantiles`.
"""
