"""DCGAN Studio's library: train a small GAN, watch it learn, play with what it learned. No user interface."""
