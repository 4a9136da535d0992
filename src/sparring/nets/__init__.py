"""Networks, one family a file: what maps latents to samples, samples to logits, and images to images.

They are plain torch modules that lean on nothing but torch and the errors.
"""
