"""The Gradio app: the only package, with app.py, that imports gradio."""
