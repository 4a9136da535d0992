"""What players minimize: adversarial losses, penalties, and what goes with them (augmentation, pools, a look ahead), and the theory behind.

They are functions of networks and batches; they lean on the engine, and know no recipe and no run.
"""
