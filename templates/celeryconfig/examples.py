# --- Examples: their tasks have no route, so they run on the first queue
include = {{ plan().example_modules | list | python(used=(plan().framework.setting("include") ~ " = ") | length) }}
