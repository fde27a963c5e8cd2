"""`make demo TARGET=aws,local`: the main job over real servers, with targets cut off mid-way."""
