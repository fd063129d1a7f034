"""Bytes that no sane host sends."""
