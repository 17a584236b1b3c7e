"""What a prompt's replies show before their mean score does: outcomes, unusable replies, the commonest target."""
