# SPDX-License-Identifier: MIT
"""Defines the neural signed distance field u(x): hash grid, network and finite differences.

In: points (n, 3) of the unit frame. Out: u, its gradient and its Laplacian. Start reading at `network`.
"""
