"""What trains the memory: anchors, segments, decoder, and the losses on them."""
