"""Figures of removed components."""
