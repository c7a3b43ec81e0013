# SPDX-License-Identifier: MIT
"""fastsdf: large indoor point clouds to clean meshes with a hash-grid SDF trained under a viscosity schedule.

In: a scan (`read_point_cloud`, or an array). Out: a fitted field (`fit`) and its mesh. Start reading at `fastsdf.api`.
Names are imported when they are first used: ``import fastsdf`` alone loads neither torch nor open3d.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
