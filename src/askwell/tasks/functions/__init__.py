"""Metric functions of users: what each parameter receives, and what a returned value means."""
