import xml.etree.ElementTree as ElementTree


class Feed:
    def __init__(self):
        self.tree = ElementTree.Element("feed")
feed = Feed()
def run():
    for _ in range(5):
        ElementTree.SubElement(feed.tree, "item")
