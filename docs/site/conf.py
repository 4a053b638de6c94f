"""Sphinx's settings for the site. `python -m course_utils site` lays out the sources around it."""

project = "Data augmentation"
html_title = project
extensions = ["myst_nb", "sphinx_copybutton"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["explorer.css", "site.css"]
html_favicon = "_static/favicon.svg"
html_show_copyright = False
html_show_sphinx = False
html_copy_source = False

# Notebooks are shown with the outputs that are committed; nothing runs.
nb_execution_mode = "off"
nb_merge_streams = True
# A widget's still picture is shown, so that no script of another host is asked for.
nb_ipywidgets_js = {}
nb_mime_priority_overrides = [
    ("html", "application/vnd.jupyter.widget-view+json", None),
]
myst_heading_anchors = 3
myst_enable_extensions = ["attrs_inline"]
copybutton_selector = "div:not(.output) > div.highlight pre"
# Shell lines in a block of Python, as notebooks have them, and pages that begin below a title.
suppress_warnings = ["misc.highlighting_failure", "myst.header"]
