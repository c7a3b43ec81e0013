# SPDX-License-Identifier: MIT
"""Pictures of meshes without a display: scenes, cameras, a rasteriser, sections of the field.

In: a fitted field and its mesh. Out: RGB arrays and sections. Start reading at `pictures`.
"""
