"""What augmentation and centre crop do to classes and heat."""
