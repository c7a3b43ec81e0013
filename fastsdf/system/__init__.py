# SPDX-License-Identifier: MIT
"""The machine: devices, memory, time, versions, and packages that may be missing.

In: names of devices and packages. Out: what is there, or an error that says what to install. Start reading at `device`.
"""
