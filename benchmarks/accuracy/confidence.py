# SPDX-License-Identifier: MIT
"""Trains the network that judges how likely a vertex lies on measured surface (`fastsdf.meshing.confidence`).

    python -m benchmarks.accuracy.confidence samples -o runs/confidence --cases 30  # scans, fits, samples
    python -m benchmarks.accuracy.confidence train -o runs/confidence               # writes the network and its scores

Every case (`confidence_cases`) is fitted with the defaults. Vertices of all surface near its scan become samples: their
features, and whether the true surface is within the tolerance, faces their way to within 60 degrees, and was seen by
the scanner. A fifth of them is moved along the normal by about a spacing, as if the field had been wrong there. Every
sixth case is held out of training; the printed figures are of those.
"""

from itertools import pairwise
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.accuracy.confidence_cases import TrainingCase, training_case
from fastsdf.config.loading import validate_config
from fastsdf.evaluation.mesh_distance import mesh_distance
from fastsdf.evaluation.topology import face_normals
from fastsdf.geometry import PointCloud, TriangleMesh
from fastsdf.meshing import confidence
from fastsdf.meshing.discs import NEIGHBOURS, Neighbours, in_chunks, make_discs
from fastsdf.model import FittedField
from fastsdf.prepare.pipeline import prepare_scan
from fastsdf.synthetic.raycast import RayScene
from fastsdf.synthetic.scanner import seen_from
from fastsdf.training.loop import train as train_field
from fastsdf.training.session import start_fit

SAMPLES = 22_000
TOLERANCE_SPACINGS, TOLERANCE_SIGMAS, MIN_COSINE = 0.6, 3.0, 0.5
HELD_OUT = 6
MOVED = 5
HIDDEN = (64, 32)
BATCH, EPOCHS, RATE = 4096, 24, 6e-3
BOUNDS = (0.2, 0.25, 0.3, 0.4, 0.5, 0.6)
WEIGHTS = Path(confidence.__file__).with_name(confidence.WEIGHTS)

Folder = Annotated[Path, typer.Option("-o", "--out", help="Folder of the samples.")]
app = typer.Typer(add_completion=False)


def fit_case(cloud: PointCloud, device: str, seed: int) -> FittedField:
    """The field of a scan, with default settings."""
    config = validate_config({"device": device, "seed": seed})
    session = start_fit(prepare_scan(cloud, config), config)
    train_field(session.state, session.config, lambda _: None, lambda _: None, lambda: False)
    return FittedField.from_session(session)


@torch.no_grad()
def vertex_features(fitted: FittedField, mesh: TriangleMesh, offsets: np.ndarray) -> Tensor:
    """Features (v, f) of a mesh's vertices, had the field been off by so much (v,) there and the mesh with it."""
    device, config = next(fitted.field.parameters()).device, fitted.config.mesh
    discs = make_discs(fitted.support, config.support_spacings, config.support_sigmas, device)
    assert mesh.normals is not None
    places, normals, off = (torch.as_tensor(a, device=device) for a in (mesh.vertices, mesh.normals, offsets))

    def part_features(part: slice, near: Neighbours) -> Tensor:
        return confidence.features(places[part], normals[part], near, discs, lambda x: fitted.sdf(x) - off[part])

    return torch.cat([part_features(*found) for found in in_chunks(places, normals, discs, NEIGHBOURS)])


def is_measured(vertices: np.ndarray, normals: np.ndarray, limit: float, case: TrainingCase) -> np.ndarray:
    """(v,) bool: the true surface is within a distance of a vertex, faces its way, and the scanner saw it there."""
    distance, face = mesh_distance(case.surface).distance(vertices)
    facing = face_normals(case.surface)[0][face]
    corner = case.surface.vertices[case.surface.faces[face, 0]]
    foot = vertices - ((vertices - corner) * facing).sum(1, keepdims=True) * facing
    seen = seen_from(RayScene(case.surface), case.stations, foot, facing) & ~case.gaps.contains(foot)
    return seen & (distance < limit) & (np.abs((facing * normals).sum(1)) > MIN_COSINE)


def tolerance(fitted: FittedField) -> float:
    """How far from the true surface a vertex may be, metres."""
    return max(TOLERANCE_SPACINGS * fitted.support.median_spacing, TOLERANCE_SIGMAS * fitted.support.noise)


def case_vertices(fitted: FittedField, seed: int) -> tuple[TriangleMesh, np.ndarray]:
    """A random part of the vertices near a scan, with normals; every fifth is moved along it. And by how much (v,)."""
    whole = fitted.extract_mesh(min_confidence=0.0, min_component_area_m2=0.0)
    assert whole.normals is not None
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(whole.vertices))[:SAMPLES]
    offsets = fitted.support.median_spacing * rng.standard_normal(len(chosen)) * (np.arange(len(chosen)) % MOVED == 0)
    normals = whole.normals[chosen]
    return TriangleMesh(whole.vertices[chosen] + offsets[:, None] * normals, whole.faces[:0], normals), offsets


@app.command()
def samples(out: Folder, cases: int = 30, device: str = "auto") -> None:
    """Fits the cases and writes their samples."""
    out.mkdir(parents=True, exist_ok=True)
    for number in range(cases):
        path = out / f"case{number}.npz"
        if path.is_file():
            continue
        case = training_case(number)
        fitted = fit_case(case.cloud, device, number)
        mesh, offsets = case_vertices(fitted, number)
        assert mesh.normals is not None
        measured = is_measured(mesh.vertices, mesh.normals, tolerance(fitted), case)
        values = vertex_features(fitted, mesh, offsets).half().cpu().numpy()
        np.savez_compressed(path, features=values, measured=measured)
        typer.echo(f"case {number}: {len(measured)} vertices, {measured.mean():.1%} on measured surface")


def load_samples(folder: Path, held_out: bool) -> tuple[Tensor, Tensor]:
    """Features (n, f) and labels (n,) of the cases in a folder that are, or are not, held out of training."""
    paths = sorted(folder.glob("case*.npz"))
    chosen = [p for p in paths if (int(p.stem[4:]) % HELD_OUT == HELD_OUT - 1) == held_out]
    if not chosen:
        raise typer.BadParameter(f"{folder} holds no samples for {'testing' if held_out else 'training'}")
    parts = [np.load(path) for path in chosen]
    values = np.concatenate([part["features"] for part in parts]).astype(np.float32)
    return torch.from_numpy(values), torch.from_numpy(np.concatenate([part["measured"] for part in parts])).float()


def fit_judge(features: Tensor, measured: Tensor, seed: int = 0) -> confidence.ConfidenceNetwork:
    """A network trained by the cross entropy."""
    torch.manual_seed(seed)
    mean, scale = features.mean(0), features.std(0).clamp_min(1e-3)
    sizes = (features.shape[1], *HIDDEN, 1)
    linear = [nn.Linear(a, b) for a, b in pairwise(sizes)]
    judge = confidence.ConfidenceNetwork(mean, scale, tuple((layer.weight, layer.bias) for layer in linear))
    steps = EPOCHS * len(features) // BATCH
    optimizer = torch.optim.Adam([p for layer in judge.layers for p in layer])
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    for _ in range(steps):
        rows = torch.randint(len(features), (BATCH,))
        loss = functional.binary_cross_entropy(judge(features[rows]), measured[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return judge


def report(probability: np.ndarray, measured: np.ndarray) -> None:
    """Prints calibration, and what would be kept at several bounds."""
    edges = np.linspace(0.0, 1.0, 11)
    bins = np.clip(np.digitize(probability, edges) - 1, 0, 9)
    for i in range(10):
        here = bins == i
        said = f"said {edges[i]:.1f} to {edges[i + 1]:.1f}"
        typer.echo(f"{said}: {measured[here].mean():.3f} are measured, {here.mean():.1%} of vertices")
    for bound in BOUNDS:
        kept = probability >= bound
        found = measured[kept].sum() / measured.sum()
        typer.echo(f"kept from {bound}: {measured[kept].mean():.4f} are measured, {found:.4f} of the measured")


@app.command()
def train(out: Folder, weights: Path = WEIGHTS) -> None:
    """Trains the network, writes it, and reports on the cases held out."""
    judge = fit_judge(*load_samples(out, held_out=False))
    arrays = {"mean": judge.mean, "scale": judge.scale}
    for number, (weight, bias) in enumerate(judge.layers):
        arrays |= {f"weight{number}": weight, f"bias{number}": bias}
    np.savez(weights, **{name: values.detach().numpy() for name, values in arrays.items()})
    values, measured = load_samples(out, held_out=True)
    with torch.no_grad():
        report(judge(values).numpy(), measured.numpy())


if __name__ == "__main__":
    app()
