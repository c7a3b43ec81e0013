# SPDX-License-Identifier: MIT
"""Renders meshes and sections of the field without a display.

In: a fitted field and its mesh. Out: RGB arrays and sections. Start reading at `pictures`.
"""
