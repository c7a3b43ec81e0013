# SPDX-License-Identifier: MIT
"""The machine: devices, memory, time, versions, and optional packages.

Input: names of devices and packages. Output: what is available, or an error that tells what to install. Start reading
at `device`.
"""
