import unittest

import report


class Load(unittest.TestCase):
    def test_size(self):
        report.MEGABYTES = 1
        self.assertEqual(len(report.load()), 1 << 20)

    def test_part(self):
        report.MEGABYTES = 1
        self.assertEqual(report.part((0, 2)), 128)
