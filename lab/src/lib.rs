//! A house in network namespaces: router, cloud and devices, for the tests and the demo.
