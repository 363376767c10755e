"""Light, ground and sky: drawn from a generator, written into one row of numbers that the tracer reads.

Never looks at the objects. All colours are linear light.
"""

import numpy as np

from sorairo.world.vectors import Table, outward

LIGHTS = ("day", "sunset", "night", "studio")
GROUNDS = ("checker", "wood", "tiles", "sand", "snow", "grey", "grass")
STUDIO_GROUNDS = ("grey", "checker", "wood")

ENVIRONMENT_COLUMNS = 48
SUN, SUN_COLOR, ZENITH, HORIZON, AMBIENT, GROUND_A, GROUND_B = 0, 3, 6, 9, 12, 15, 18
GROUND_PATTERN, GROUND_SCALE, GROUND_SHINE, GROUND_TURN = 21, 22, 23, 24
SHADOW_SHARPNESS, FOG, EXPOSURE, CLOUDS, STARS, HILLS, HILL_COLOR = 25, 26, 27, 28, 29, 30, 31
SKY_SEED, GLOW, POOL_RADIUS = 34, 35, 40

# azimuth and elevation of the sun (radians, azimuth counted from behind the camera), then columns: values
SUN_RANGES = {
    "day": (0.5, 1.5, 0.7, 1.05),
    "sunset": (1.75, 2.45, 0.22, 0.34),
    "night": (0.5, 1.4, 0.7, 0.95),
    "studio": (0.5, 1.2, 0.75, 1.0),
}
LIGHT_ROWS: dict[str, dict[int, float | tuple[float, float, float]]] = {
    "day": {
        SUN_COLOR: (1.6, 1.5, 1.3),
        ZENITH: (0.10, 0.27, 0.72),
        HORIZON: (0.58, 0.76, 0.95),
        AMBIENT: (0.38, 0.43, 0.52),
        HILL_COLOR: (0.33, 0.45, 0.52),
        GLOW: (0.5, 0.45, 0.3),
        SHADOW_SHARPNESS: 9.0,
        FOG: 0.035,
        EXPOSURE: 1.0,
    },
    "sunset": {
        SUN_COLOR: (2.05, 1.25, 0.72),
        ZENITH: (0.13, 0.13, 0.34),
        HORIZON: (1.0, 0.46, 0.22),
        AMBIENT: (0.46, 0.41, 0.47),
        HILL_COLOR: (0.26, 0.14, 0.2),
        GLOW: (0.9, 0.42, 0.1),
        SHADOW_SHARPNESS: 12.0,
        FOG: 0.025,
        EXPOSURE: 1.0,
    },
    "night": {
        SUN_COLOR: (0.80, 0.90, 1.15),
        ZENITH: (0.006, 0.009, 0.035),
        HORIZON: (0.035, 0.05, 0.12),
        AMBIENT: (0.085, 0.10, 0.16),
        HILL_COLOR: (0.012, 0.016, 0.035),
        STARS: 0.9,
        SHADOW_SHARPNESS: 9.0,
        FOG: 0.05,
        EXPOSURE: 1.2,
        POOL_RADIUS: 3.2,
    },
    "studio": {
        SUN_COLOR: (1.35, 1.3, 1.22),
        ZENITH: (0.42, 0.43, 0.45),
        HORIZON: (0.62, 0.63, 0.65),
        AMBIENT: (0.56, 0.57, 0.6),
        SHADOW_SHARPNESS: 4.5,
        FOG: 0.09,
        EXPOSURE: 1.0,
    },
}
CLOUD_CHOICES = {"day": (0.0, 0.7, 1.0), "sunset": (0.0, 0.8), "night": (0.0,), "studio": (0.0,)}
HILL_CHOICES = {"day": (0.0, 0.1, 0.14), "sunset": (0.09, 0.14), "night": (0.09, 0.13), "studio": (0.0,)}

# two colours, pattern (0 plain, 1 checker, 2 planks, 3 tiles, 4 grains), cells per metre, mirror share
GROUND_ROWS = {
    "checker": ((0.30, 0.31, 0.33), (0.62, 0.62, 0.62), 1, 1.2, 0.12),
    "wood": ((0.20, 0.115, 0.06), (0.46, 0.30, 0.17), 2, 2.2, 0.10),
    "tiles": ((0.20, 0.21, 0.23), (0.52, 0.54, 0.57), 3, 1.5, 0.22),
    "sand": ((0.45, 0.35, 0.22), (0.66, 0.55, 0.38), 4, 1.3, 0.0),
    "snow": ((0.40, 0.44, 0.50), (0.55, 0.58, 0.62), 4, 0.7, 0.03),
    "grey": ((0.36, 0.36, 0.37), (0.48, 0.48, 0.49), 0, 1.0, 0.06),
    "grass": ((0.085, 0.13, 0.045), (0.19, 0.25, 0.095), 4, 2.2, 0.0),
}


def draw_environment(rng: np.random.Generator) -> tuple[Table, str, str]:
    """A row of ENVIRONMENT_COLUMNS numbers, the name of the light and of the ground."""
    light = str(rng.choice(LIGHTS))
    ground = str(rng.choice(STUDIO_GROUNDS if light == "studio" else GROUNDS))
    row = np.zeros(ENVIRONMENT_COLUMNS)
    azimuth, elevation = SUN_RANGES[light][:2], SUN_RANGES[light][2:]
    row[SUN : SUN + 3] = outward(rng.choice([-1, 1]) * rng.uniform(*azimuth), rng.uniform(*elevation))
    for column, value in LIGHT_ROWS[light].items():
        row[column : column + np.size(value)] = value
    row[CLOUDS], row[HILLS] = rng.choice(CLOUD_CHOICES[light]), rng.choice(HILL_CHOICES[light])
    row[SKY_SEED], row[GROUND_TURN] = rng.uniform(0, 50), rng.uniform(-0.5, 0.5)
    row[GROUND_A : GROUND_A + 3], row[GROUND_B : GROUND_B + 3] = GROUND_ROWS[ground][:2]
    row[GROUND_PATTERN : GROUND_SHINE + 1] = GROUND_ROWS[ground][2:]
    return row, light, ground
