"""The mathematics of rectified flow over any callable ``velocity(latents, noise_map)``. Never imports a model."""
