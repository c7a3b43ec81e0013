# SPDX-License-Identifier: MIT
"""The settings of a fit: their models, how they are read, and how values that are not set are chosen.

Input: presets, YAML files, command-line options. Output: one frozen `models.FitConfig`. Start reading at `models`.
"""
