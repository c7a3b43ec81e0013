# SPDX-License-Identifier: MIT
"""Every setting of a fit: its model, where it is read from, and how open values are chosen.

In: presets, YAML files, command-line options. Out: one frozen `models.FitConfig`. Start reading at `models`.
"""
