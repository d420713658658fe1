"""The models: what is believed of a recording; one file or folder each."""
