"""From a request to a game that is ready to play: settings checked, data opened, what is chosen by measuring, a folder made or reopened.

It leans on recipes and run folders, and hands the training loop its plan.
"""
