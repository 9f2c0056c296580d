"""DCGAN Studio's library: train a small GAN, watch it learn, and play with what it learned. No user interface."""
