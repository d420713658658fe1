"""What a model is compared with, behind the same learning and answering."""
