"""The tables of the configuration file, one file each; `models` puts them together."""
