"""Whole studies, stage by stage, by one configuration."""
