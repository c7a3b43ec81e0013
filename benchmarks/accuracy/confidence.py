# SPDX-License-Identifier: MIT
"""Trains the network that estimates how likely a vertex lies on measured surface (`fastsdf.meshing.confidence`).

    python -m benchmarks.accuracy.confidence samples -o runs/confidence --cases 30  # makes and fits scans
    python -m benchmarks.accuracy.confidence train -o runs/confidence               # writes the network

Every case (`confidence_cases`) is fitted with the default settings. The samples are vertices of the uncut mesh near
the scan. A sample holds the features of a vertex and a label, which is true if the true surface is within the
tolerance, its normal agrees with the vertex normal to within 60 degrees, and the scanner saw it. A fifth of the
vertices is moved along the normal by about one point spacing, to imitate an error of the field. Every sixth case is
held out of training; the printed scores come from the held-out cases.
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

SAMPLES = 22_000  # vertices per case; chosen, not swept
TOLERANCE_SPACINGS = 0.6  # point spacings; chosen, not swept
TOLERANCE_SIGMAS = 3.0  # standard deviations of the noise: 99.7% of a normal distribution
MIN_COSINE = 0.5  # 60 degrees; chosen: tells a wall from its neighbour at a right angle and allows for noise
HELD_OUT_EVERY = 6  # one case in six tests the network; chosen, gives 5 of 30 cases
MOVED_EVERY = 5  # one vertex in five is moved; without them a sheet beside the points was still judged likely
HIDDEN = (64, 32)  # units; larger networks were not better (docs/notebook/2026-11-27-confidence.md)
BATCH, EPOCHS, RATE = 4096, 24, 6e-3  # chosen by hand, not swept
BOUNDS = (0.2, 0.25, 0.3, 0.4, 0.5, 0.6)  # minimum confidences to report; around the default of 0.25
WEIGHTS = Path(confidence.__file__).with_name(confidence.WEIGHTS)  # the file that the package ships

Folder = Annotated[Path, typer.Option("-o", "--out", help="Folder for the samples.")]
app = typer.Typer(add_completion=False)


def fit_case(cloud: PointCloud, device: str, seed: int) -> FittedField:
    """Fits a scan with the default settings."""
    config = validate_config({"device": device, "seed": seed})
    session = start_fit(prepare_scan(cloud, config), config)
    train_field(session.state, session.config, lambda _: None, lambda _: None, lambda: False)
    return FittedField.from_session(session)


@torch.no_grad()
def vertex_features(fitted: FittedField, mesh: TriangleMesh, offsets: np.ndarray) -> Tensor:
    """Features (v, f) of the vertices of a mesh.

    Args:
        fitted: the field.
        mesh: vertices and normals, already moved.
        offsets: (v,) signed distance by which each vertex was moved; it is subtracted from the field, so that the
            vertices lie on the zero set of the shifted field.
    """
    device, config = next(fitted.field.parameters()).device, fitted.config.mesh
    discs = make_discs(fitted.support, config.support_spacings, config.support_sigmas, device)
    assert mesh.normals is not None
    vertices, normals, shift = (torch.as_tensor(a, device=device) for a in (mesh.vertices, mesh.normals, offsets))

    def part_features(part: slice, near: Neighbours) -> Tensor:
        return confidence.features(vertices[part], normals[part], near, discs, lambda x: fitted.sdf(x) - shift[part])

    return torch.cat([part_features(*found) for found in in_chunks(vertices, normals, discs, NEIGHBOURS)])


def is_measured(vertices: np.ndarray, normals: np.ndarray, limit: float, case: TrainingCase) -> np.ndarray:
    """Labels (v,) bool: the true surface is near a vertex, its normal agrees, and the scanner saw it.

    Args:
        vertices, normals: (v, 3) of the mesh.
        limit: largest distance to the true surface, metres.
        case: the true surface and what the scanner saw.
    """
    distance, face = mesh_distance(case.surface).distance(vertices)
    facing = face_normals(case.surface)[0][face]
    corner = case.surface.vertices[case.surface.faces[face, 0]]
    foot = vertices - ((vertices - corner) * facing).sum(1, keepdims=True) * facing
    seen = seen_from(RayScene(case.surface), case.stations, foot, facing) & ~case.gaps.contains(foot)
    return seen & (distance < limit) & (np.abs((facing * normals).sum(1)) > MIN_COSINE)


def tolerance(fitted: FittedField) -> float:
    """Largest distance from the true surface at which a vertex counts as measured, metres."""
    return max(TOLERANCE_SPACINGS * fitted.support.median_spacing, TOLERANCE_SIGMAS * fitted.support.noise)


def case_vertices(fitted: FittedField, seed: int) -> tuple[TriangleMesh, np.ndarray]:
    """Random vertices near a scan with their normals; every fifth is moved along its normal.

    Returns:
        The vertices as a mesh without faces, and the distance (v,) by which each was moved, metres.
    """
    whole = fitted.extract_mesh(min_confidence=0.0, min_component_area_m2=0.0)
    assert whole.normals is not None
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(whole.vertices))[:SAMPLES]
    offsets = (
        fitted.support.median_spacing * rng.standard_normal(len(chosen)) * (np.arange(len(chosen)) % MOVED_EVERY == 0)
    )
    normals = whole.normals[chosen]
    return TriangleMesh(whole.vertices[chosen] + offsets[:, None] * normals, whole.faces[:0], normals), offsets


@app.command()
def samples(out: Folder, cases: int = 30, device: str = "auto") -> None:
    """Fits every case and writes its samples; cases that already have a file are skipped."""
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
    """Features (n, f) and labels (n,) of the held-out cases in a folder, or of the training cases."""
    paths = sorted(folder.glob("case*.npz"))
    chosen = [p for p in paths if (int(p.stem[4:]) % HELD_OUT_EVERY == HELD_OUT_EVERY - 1) == held_out]
    if not chosen:
        raise typer.BadParameter(f"{folder} holds no samples for {'testing' if held_out else 'training'}")
    parts = [np.load(path) for path in chosen]
    values = np.concatenate([part["features"] for part in parts]).astype(np.float32)
    return torch.from_numpy(values), torch.from_numpy(np.concatenate([part["measured"] for part in parts])).float()


def fit_network(features: Tensor, measured: Tensor, seed: int = 0) -> confidence.ConfidenceNetwork:
    """Trains a network on features (n, f) and labels (n,) with the binary cross entropy."""
    torch.manual_seed(seed)
    mean, scale = features.mean(0), features.std(0).clamp_min(1e-3)
    sizes = (features.shape[1], *HIDDEN, 1)
    linear = [nn.Linear(a, b) for a, b in pairwise(sizes)]
    network = confidence.ConfidenceNetwork(mean, scale, tuple((layer.weight, layer.bias) for layer in linear))
    steps = EPOCHS * len(features) // BATCH
    optimizer = torch.optim.Adam([p for layer in network.layers for p in layer])
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    for _ in range(steps):
        batch = torch.randint(len(features), (BATCH,))
        loss = functional.binary_cross_entropy(network(features[batch]), measured[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return network


def report(probability: np.ndarray, measured: np.ndarray) -> None:
    """Prints the calibration of the network, and precision and recall at several minimum confidences."""
    edges = np.linspace(0.0, 1.0, 11)
    bins = np.clip(np.digitize(probability, edges) - 1, 0, 9)
    for i in range(10):
        in_bin = bins == i
        label = f"confidence {edges[i]:.1f} to {edges[i + 1]:.1f}"
        typer.echo(f"{label}: {measured[in_bin].mean():.3f} are measured, {in_bin.mean():.1%} of vertices")
    for bound in BOUNDS:
        kept = probability >= bound
        recall = measured[kept].sum() / measured.sum()
        typer.echo(f"at least {bound}: precision {measured[kept].mean():.4f}, recall {recall:.4f}")


@app.command()
def train(out: Folder, weights: Path = WEIGHTS) -> None:
    """Trains the network, writes its weights, and prints scores on the held-out cases."""
    network = fit_network(*load_samples(out, held_out=False))
    arrays = {"mean": network.mean, "scale": network.scale}
    for number, (weight, bias) in enumerate(network.layers):
        arrays |= {f"weight{number}": weight, f"bias{number}": bias}
    np.savez(weights, **{name: values.detach().numpy() for name, values in arrays.items()})
    values, measured = load_samples(out, held_out=True)
    with torch.no_grad():
        report(network(values).numpy(), measured.numpy())


if __name__ == "__main__":
    app()
