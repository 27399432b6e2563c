"""What runs at inference: embedding, encoder, head, classifier."""
