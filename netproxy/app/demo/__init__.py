"""`netproxy demo`: the main job on origins of its own, without the internet.

`steps` is the story, `story` prints and checks it, `stage` and `person` run the real command line,
`site` and `goods` are what it reaches, `screen` turns a terminal's bytes into lines.
"""
