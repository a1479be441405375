"""Finds the label of every tab panel of a page, also of tabs within tabs."""

from selectolax.lexbor import LexborNode

from chatbot_api.models.clean_text import clean


def tab_labels(root: LexborNode) -> dict[int, str]:
    """``mem_id`` of a panel below ``root`` -> the label of its tab.

    Docusaurus' ``lazy`` tabs are built with the selected panel alone: it gets the selected tab's label.
    """
    lists = {parent.mem_id: found for found in root.css("[role=tablist]") if (parent := found.parent) is not None}
    panels: dict[int, list[LexborNode]] = {}
    for panel in root.css("[role=tabpanel]"):
        around = panel.parent
        while around is not None and around.mem_id not in lists:
            around = around.parent
        if around is not None:
            panels.setdefault(around.mem_id, []).append(panel)
    labels: dict[int, str] = {}
    for group, found in panels.items():
        tabs = lists[group].css("[role=tab]")
        if len(found) == 1 < len(tabs):
            tabs = lists[group].css("[role=tab][aria-selected=true]")
        labels.update((panel.mem_id, " ".join(clean(tab.text()).split())) for panel, tab in zip(found, tabs, strict=False))
    return labels
