"""The lab: the game of a generator and a discriminator in a browser, played by the same engine as every run.

`server.py` answers the browser, behind `guard.py`, which refuses what does not come from the lab's own page. `games.py` keeps a process for
each game; `player.py` is that process. It plays the course of a run in its folder, and `scene.py` finds what there is to see in between.
The page is in `page/`: plain HTML, CSS and JavaScript, without a build step and without a network.
"""
