"""Words and phrases, as data: at least eight wordings for each kind of fact.

{v} is a verb of motion, {side} the side named, {far} the opposite side, {x} another object, {it} its pronoun, {a} the
actor, {ground} a noun for the ground. Phrases of actions are in the third person; PARTICIPLES turns their first word
into its -ing form. The first wording is the usual one; one that stands twice is chosen twice as often.
"""


def _table(text: str) -> dict[str, tuple[str, ...]]:
    """Lines "name: wording | wording | ..."; lines that begin with a space go on with the one before."""
    lines = text.strip().replace("\n ", " ").splitlines()
    pairs = (line.split(":", 1) for line in lines)
    return {name: tuple(" ".join(option.split()) for option in options.split("|")) for name, options in pairs}


def _pairs(text: str) -> dict[str, str]:
    """A text "word other, word other" as a dictionary."""
    return dict(pair.split() for pair in text.split(","))


SHAPE_WORDS = _table("""
sphere: ball | ball | ball | sphere
cube: cube | cube | cube | box
cylinder: cylinder
cone: cone
ring: ring | ring | ring | torus | donut
block: block | tall block | tall block
domino: domino
ramp: ramp | ramp | ramp | slope
wall: wall | wall | wall | screen
""")
PLURALS = {"box": "boxes", "torus": "tori", "domino": "dominoes"}
SIZE_WORDS = {"small": ("small", "small", "little"), "medium": ("medium-sized",), "large": ("large", "big", "big")}
MATERIAL_WORDS = {"metal": ("metal", "metal", "shiny metal", "metallic"), "rubber": ("rubber", "rubber", "matte")}
PROP_WORDS = {"wood": ("wooden",), "grey": ("grey", "gray")}
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight")
MIXED = ("colourful", "colorful", "multicoloured", "differently coloured")
ROWS = ("a row of", "a row of", "a row of", "a line of", "a chain of")
STACKS = ("a stack of", "a stack of", "a tower of")

VERBS = {
    "roll": ("rolls", "rolls", "rolls", "moves", "travels"),
    "slide": ("slides", "slides", "slides", "glides", "moves"),
    "fall": ("falls",),
    None: ("moves", "goes"),
}
MANNERS = {"rolls": "roll", "slides": "slide", "glides": "slide"}  # verbs that assert how

ACTIONS = _table("""
enter: {v} in from the {side} | {v} in from the {side} | {v} in from the {side} | {v} into view from the {side}
 | enters from the {side} | comes in from the {side} | {v} into the picture from the {side} | {v} into view
 | {v} into frame from the {side} | enters the scene from the {side} | appears from the {side}
 | {v} in from the {side} side | comes into view from the {side}
travel: {v} to the {side} | {v} to the {side} | {v} to the {side} | {v} {side} | {v} towards the {side}
 | {v} from {far} to {side} | heads to the {side} | {v} toward the {side} | {v} across the {ground} to the {side}
 | {v} from the {far} to the {side} | goes to the {side} | {v} across the {ground} | {v} along
cross: {v} across the scene from {far} to {side} | {v} across the picture from the {far} to the {side}
 | {v} in from the {far} and leaves to the {side} | enters from the {far} and exits to the {side}
 | crosses the scene from {far} to {side} | {v} past from {far} to {side} | {v} through the scene from {far} to {side}
 | passes through from the {far} to the {side} | {v} across the {ground} from {far} to {side} | {v} across the scene
 | {v} in from the {far} and out to the {side}
fall: falls from above | drops from above | falls down | drops down | comes down from above | falls through the air
 | plunges down | plummets down | drops out of the air | falls
descend: rolls down {x} | rolls down {x} | rolls down {x} | runs down {x} | comes down {x} | goes down {x}
 | moves down {x} | travels down {x} | descends {x} | heads down {x}
land: lands on the {ground} | hits the {ground} | lands | touches down | strikes the {ground}
 | comes down on the {ground} | drops onto the {ground} | reaches the {ground}
bounce: bounces | bounces | bounces on the {ground} | bounces back up | rebounds | bounces off the {ground}
 | springs back up | jumps back up | rebounds off the {ground} | bounces up again
hit: hits {x} | hits {x} | strikes {x} | bumps into {x} | runs into {x} | knocks into {x} | crashes into {x}
 | bangs into {x} | collides with {x}
collide: collides with {x} | collides with {x} | crashes into {x} | hits {x} | bumps into {x} | runs into {x}
 | bangs into {x} | smacks into {x} | strikes {x}
land on: lands on {x} | falls on {x} | drops onto {x} | falls onto {x} | comes down on {x} | hits {x} from above
 | lands on top of {x} | drops on {x}
push: pushes {x} | hits {x} and pushes {it} | shoves {x} | hits {x} and pushes {it} away | pushes {x} along
 | shoves {x} along | bumps {x} away | bumps into {x} and pushes {it} along | runs into {x} and shoves {it} away
knock: knocks over {x} | knocks over {x} | topples {x} | knocks down {x} | knocks {x} over | tips over {x}
 | bowls over {x} | hits {x} and knocks {it} over | strikes {x} and topples {it} | makes {x} fall over
 | pushes over {x}
knock group: knocks over {x} | knocks over {x} | knocks over {x} | topples {x} | knocks down {x} | bowls over {x}
 | tips over {x} | brings down {x} | hits {x} and knocks {it} over | crashes into {x} and knocks {it} down
 | makes {x} fall
hit group: hits {x} | hits {x} | strikes {x} | bumps into {x} | runs into {x} | knocks into {x} | crashes into {x}
 | bangs into {x} | collides with {x}
hide: goes behind {x} | {v} behind {x} | disappears behind {x} | passes behind {x} | vanishes behind {x}
 | moves behind {x} | hides behind {x} | goes out of sight behind {x}
reappear: comes out again | reappears | comes back into view | appears again | emerges again | shows up again
 | comes back out | can be seen again
reappear across: comes out on the other side | comes out on the other side | reappears on the other side
 | emerges on the other side | comes out the other side | appears again on the other side | reappears
 | comes into view on the other side | shows up again on the other side | comes out again
stay hidden: stays hidden | remains hidden | does not come out | stays out of sight | does not come back
 | remains out of sight | is not seen again | never comes out
leave: leaves to the {side} | goes out on the {side} | exits to the {side} | {v} out of view to the {side}
 | {v} out of the picture to the {side} | {v} out of frame to the {side} | leaves the scene on the {side}
 | exits on the {side} | disappears to the {side}
stop: comes to a stop | stops | comes to rest | stops moving | comes to a halt | halts | slows down and stops
 | comes to a standstill
""")
PASSIVES = _table("""
hit: {x} {be} hit by {a} | {x} {be} struck by {a}
push: {x} {be} pushed by {a} | {x} {be} pushed away by {a} | {x} {be} shoved by {a}
knock: {x} {be} knocked over by {a} | {x} {be} toppled by {a} | {x} {be} knocked down by {a}
knock group: {x} {be} knocked over by {a} | {x} {be} toppled by {a} | {x} {be} knocked down by {a}
""")
MEETINGS = _table("""
meet: {a} and {b} {roll} towards each other and collide | {a} and {b} {roll} toward each other and collide
 | {a} and {b} collide | {a} and {b} {roll} into each other | {a} and {b} crash into each other
 | {a} and {b} bump into each other | {a} and {b} {roll} against each other | two things collide: {a} and {b}
""")["meet"]

PARTICIPLES = _pairs("""
rolls rolling, moves moving, travels travelling, slides sliding, glides gliding, goes going, enters entering,
comes coming, appears appearing, heads heading, crosses crossing, passes passing, falls falling, drops dropping,
plunges plunging, plummets plummeting, runs running, descends descending, lands landing, hits hitting,
touches touching, strikes striking, reaches reaching, bounces bouncing, rebounds rebounding, springs springing,
jumps jumping, bumps bumping, knocks knocking, crashes crashing, bangs banging, collides colliding, smacks smacking,
pushes pushing, shoves shoving, topples toppling, tips tipping, bowls bowling, makes making, brings bringing,
disappears disappearing, vanishes vanishing, hides hiding, reappears reappearing, emerges emerging, leaves leaving,
exits exiting, stops stopping, halts halting, slows slowing, stays staying, remains remaining, shows showing
""")

GROUND_NOUNS = {"sand": "sand", "snow": "snow", "grass": "grass"}  # the others are floors
GROUND_PHRASES = _table("""
checker: on a checkered floor | on a checkered floor | on a checkerboard floor | on a chequered floor
 | on a floor of checks | on a checked floor | on checkered ground | on a checkerboard | on a chessboard floor
wood: on a wooden floor | on a wooden floor | on a wooden floor | on wooden planks | on a wood floor | on floorboards
 | on a plank floor | on a floor of wooden boards | on wooden boards | on a parquet floor
tiles: on a tiled floor | on a tiled floor | on tiles | on a floor of tiles | on a tile floor | on square tiles
 | on grey tiles | on a floor of square tiles | on floor tiles
sand: on sand | on sand | on the sand | on a sandy ground | on sandy ground | in the sand | in a desert
 | on a sandy plain | on a beach of sand
snow: on snow | on snow | in the snow | on snowy ground | on the snow | on a field of snow | on white snow
 | on a snowy field | in a snowy landscape
grey: on a grey floor | on a grey floor | on a plain grey floor | on a gray floor | on a plain floor
 | on smooth grey ground | on a bare grey floor | on grey ground | on a concrete floor
grass: on grass | on grass | on the grass | in the grass | on a lawn | on a green lawn | on a meadow
 | on a grassy field | on green grass
""")
LIGHT_PHRASES = _table("""
day: in daylight | in daylight | by day | on a bright day | in bright daylight | during the day | in sunlight
 | in the sunshine | on a sunny day
sunset: at sunset | at sunset | at sunset | in the evening light | at sundown | as the sun sets
 | in the light of the setting sun | in warm evening light | during sunset | in the glow of sunset
night: at night | at night | by night | in the moonlight | on a dark night | in the dark of night
 | under the night sky | during the night | at nighttime
studio: in a studio | in a studio | in a bright studio | in studio light | under studio lights
 | in soft studio light | in a photo studio | in a plain studio | in a clean studio
""")
LIGHT_WORDS = _table("""
day: daylight | sunny | bright day
sunset: sunset | evening light | warm sunset light
night: night | moonlight | night scene
studio: studio | studio light | soft studio light
""")
_CAMERA = _table("""
still: the camera is still | static camera | fixed camera | the camera does not move | the camera stays still
 | still camera | static shot | the camera is fixed
pan {side}: the camera pans {side} | the camera pans to the {side} | camera pans {side} | the camera turns {side}
 | the view pans to the {side} | panning {side} | a pan to the {side} | the camera swings to the {side}
 | the camera turns to the {side}
orbit {side}: the camera orbits to the {side} | the camera orbits {side} | camera orbits {side}
 | the camera circles to the {side} | the camera moves around to the {side} | orbiting to the {side}
 | an orbit to the {side} | the camera arcs to the {side} | the camera circles around to the {side}
zoom in: the camera zooms in | camera zooms in | zooming in | the view zooms in | a slow zoom in
 | the camera slowly zooms in | zoom in | the shot zooms in
zoom out: the camera zooms out | camera zooms out | zooming out | the view zooms out | a slow zoom out
 | the camera slowly zooms out | zoom out | the shot zooms out
rise: the camera rises | camera rises | the camera moves up | the camera goes up | the camera slowly rises
 | rising camera | the camera climbs | the camera lifts up | the viewpoint rises
""")
CAMERA_PHRASES = {  # by the names of moves, with their side filled in
    name.format(side=side): tuple(wording.format(side=side) for wording in wordings)
    for name, wordings in _CAMERA.items()
    for side in ("left", "right")
}
PLACED = ("to the {side} of", "{side} of", "on the {side} of")
IS_PLACED = ("is to the {side} of", "is on the {side} of", "is {side} of")
PICTURES = ("a picture of ", "a photo of ", "an image of ", "a still of ", "a view of ")
TAKES_PLACE = ("the scene is set", "it takes place", "everything happens", "the scene is", "this takes place")
BARE = ("a scene", "a view", "a place", "a quiet scene")
EMPTY = ("an empty scene", "nothing in view", "an empty place", "empty ground")
