# SPDX-License-Identifier: MIT
from .api import fit as fit
from .api import load as load
from .config.models import FitConfig as FitConfig
from .evaluation import evaluate as evaluate
from .geometry import DistanceGrid as DistanceGrid
from .geometry import PointCloud as PointCloud
from .geometry import TriangleMesh as TriangleMesh
from .io import read_mesh as read_mesh
from .io import read_point_cloud as read_point_cloud
from .io import read_point_clouds as read_point_clouds
from .io import write_grid as write_grid
from .io import write_mesh as write_mesh
from .io import write_point_cloud as write_point_cloud
from .model import FittedField as FittedField

__version__: str
