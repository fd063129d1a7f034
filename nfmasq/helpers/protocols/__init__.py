"""The helpers of the tree: a file for each protocol, or a folder where a protocol needs more than 300 lines.

Each of them names its helper's class HELPER; the class has the file's name. The folder's own listing is the
list of helpers, so one new file is a new helper, and no second list can forget it. A test holds every file
here to that. Nothing is imported here: the registry imports a protocol when it is asked for.
"""

from pkgutil import iter_modules

NAMES = tuple(sorted(module.name for module in iter_modules(__path__)))
"""The helpers' names, which are those of the files."""
