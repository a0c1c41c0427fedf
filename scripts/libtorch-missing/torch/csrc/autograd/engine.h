#error "LibTorch is missing: run scripts/setup, or set LIBTORCH to a LibTorch 2.9 to 2.11"
