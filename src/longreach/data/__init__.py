"""Where sequences come from: bundled images, IDX files, Hugging Face data sets, and the batches made of them.

Import what you need from its own module (`longreach.data.loader`, `longreach.data.pixels`, ...): nothing is imported
here, so that reading a file does not wait for PyTorch.
"""
