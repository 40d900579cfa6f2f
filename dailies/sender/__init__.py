"""The process that sends paid requests and records their answers. It outlives the flow that ordered them."""
