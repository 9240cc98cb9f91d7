import unittest

import report


class Table(unittest.TestCase):
    def setUp(self):
        report.MEGABYTES = 1
        report.load()

    def test_size(self):
        self.assertEqual(len(report.table), 1 << 20)

    def test_part(self):
        self.assertEqual(report.part(0, 2), 128)
