"""From a recipe to a model bundle: frames, autoencoder, latents, transformer. Each stage continues where it stopped."""

from __future__ import annotations

import shutil
from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path

import torch

from sorairo.checkpoint import halved, load_tensors, loaded, save_tensors
from sorairo.config import load_toml
from sorairo.data.footage import read_footage
from sorairo.data.latent_dataset import LatentDataset
from sorairo.data.latent_shards import shard_paths, write_shards
from sorairo.data.world_frames import read_frames, write_frames
from sorairo.media import claimed, new_file
from sorairo.models.text_encoder import TextEncoder
from sorairo.models.video_vae import VideoVAE
from sorairo.pipelines.bundle import write_bundle
from sorairo.pipelines.cards import DIT_FILE, VAE_FILE, find_model, load_config
from sorairo.training import parallel
from sorairo.training.distill_loop import Distiller
from sorairo.training.dit_loop import DiTTrainer
from sorairo.training.journal import print_progress, require_tensorboard
from sorairo.training.lineage import descent
from sorairo.training.recipe import Recipe
from sorairo.training.samples import SampleStrip
from sorairo.training.vae_loop import Crops, VAETrainer


def train(recipe_path: Path, folder: Path) -> Path:
    """Runs the recipe in ``folder`` and returns the finished bundle's folder.

    Safe to kill and to repeat at any moment: what is done is kept. Put ``video_vae.safetensors`` into ``folder`` to
    start from a trained autoencoder; ``dit.safetensors`` there is the transformer's average at the last checkpoint.
    Under `torchrun` every process calls it; the first one makes the data and trains the autoencoder.

    Raises:
        ValueError: the recipe has an unknown key or an impossible value, or the folder holds another training.
        OSError: the disk is full. DivergedError: the loss is no longer finite.
    """
    recipe = load_toml(Recipe, recipe_path)
    if recipe.start:
        _check_start(recipe)  # at once, not after the data have been made
    require_tensorboard()
    torch.set_flush_denormal(True)
    workers = parallel.join()
    try:
        with claimed(folder) if workers.is_first else nullcontext():
            if workers.is_first:
                _prepare_autoencoder(recipe, folder, workers.device)
            workers.wait()
            vae, encoder = load_autoencoder(recipe, folder).to(workers.device), TextEncoder().to(workers.device)
            dataset = _dataset(recipe, folder, vae, encoder, workers)
            trainer = Distiller if recipe.model.distilled else DiTTrainer
            trainer(recipe, folder, dataset, workers, _strip(recipe, folder, vae, encoder, workers)).run()
            return _bundle(recipe, folder, vae) if workers.is_first else folder / recipe.model.name
    finally:
        parallel.leave()


def _check_start(recipe: Recipe) -> None:
    """Raises ValueError where the model to start from is missing, or of other sizes; its patches may be larger."""
    before = load_config(find_model(recipe.start))
    for part in ("video_vae", "dit"):
        for name, asked in vars(getattr(recipe.model, part)).items():
            known = getattr(getattr(before, part), name)
            if asked != known and (name != "patch" or known % asked):
                raise ValueError(f"model.{part}.{name} is {asked}; that of the start {recipe.start!r} is {known}")


def load_autoencoder(recipe: Recipe, folder: Path) -> VideoVAE:
    """The trained autoencoder of a run."""
    return loaded(VideoVAE(recipe.model.video_vae), folder / VAE_FILE)


def _prepare_autoencoder(recipe: Recipe, folder: Path, device: torch.device) -> None:
    if (folder / VAE_FILE).exists():
        return
    if recipe.model.distilled:  # its teacher's
        with new_file(folder / VAE_FILE) as temporary:
            shutil.copyfile(find_model(recipe.start) / VAE_FILE, temporary)
        return
    config, frames = recipe.video_vae, folder / "frames"
    footage = read_footage(Path(recipe.footage), config.crop_side) if recipe.footage else []
    few = replace(recipe.data, num_clips=min(config.num_clips, recipe.data.num_clips))
    write_frames(few, frames, recipe.workers, print_progress)
    world = [read_frames(few, frames, seed) for seed in few.seeds()]
    VAETrainer(recipe, folder, Crops(world, footage, config, recipe.seed), device).run()


def _dataset(
    recipe: Recipe, folder: Path, vae: VideoVAE, encoder: TextEncoder, workers: parallel.Workers
) -> LatentDataset:
    frames, latents = folder / "frames", folder / "latents"
    if workers.is_first:
        write_frames(recipe.data, frames, recipe.workers, print_progress)
        # Where the processor encodes, it has no core to spare for captions.
        captioners = 1 if workers.device.type == "cpu" else recipe.workers
        write_shards(recipe.data, frames, latents, vae, encoder, print_progress, captioners)
    workers.wait()
    empty_prompt = encoder([""]).states[0].cpu()
    return LatentDataset(shard_paths(recipe.data, latents, vae), empty_prompt, recipe.dit.draw, recipe.seed)


def _strip(
    recipe: Recipe, folder: Path, vae: VideoVAE, encoder: TextEncoder, workers: parallel.Workers
) -> SampleStrip | None:
    if not recipe.sample_prompts or workers.number > 1:
        return None
    shape = recipe.data.shape(recipe.data.first_seed)
    return SampleStrip(folder / "samples", recipe.sample_prompts, recipe.model, vae, encoder, shape)


def _bundle(recipe: Recipe, folder: Path, vae: VideoVAE) -> Path:
    weights, metadata = load_tensors(folder / DIT_FILE)
    target = folder / recipe.model.name
    target.mkdir(exist_ok=True)
    save_tensors(target / VAE_FILE, halved(vae.state_dict()), {})
    if recipe.start:
        start, way = find_model(recipe.start), "distillation" if recipe.model.distilled else "training on the world"
        metadata["lineage"] = descent(start, way)
    save_tensors(target / DIT_FILE, halved(weights), metadata)
    told = replace(recipe, footage=Path(recipe.footage).name, start=Path(recipe.start).name)  # not where they lay
    write_bundle(target, recipe.model, {"recipe": asdict(told), **metadata})
    return target
