"""Molecular fragments as SMILES; the next fragment can be attached to any atom with a hydrogen."""

CORES = (
    # chains
    "C", "CC", "CCC", "CC(C)C", "CCCC", "CC(C)(C)C", "CCO", "COC", "CCN", "CNC", "CC=O", "CC(C)=O", "CC#N", "CC#C",
    "CC=C", "CC(N)=O", "CNC=O", "COC=O", "CC(O)=O", "CCCCC", "CCOC", "CC#CC", "CC=CC",
    # one saturated ring
    "C1CC1", "C1CO1", "C1CN1", "C1CCC1", "C1COC1", "C1CNC1", "C1CCCC1", "C1CCOC1", "C1CCNC1", "C1COCO1", "C1CCCCC1",
    "C1CCOCC1", "C1CCNCC1", "C1COCCO1", "C1COCCN1", "C1CNCCN1", "C1CCCCCC1",
    # with double bonds
    "C1=CCC1", "C1=CCCC1", "C1=CCOC1", "C1=CCNC1", "C1=CCCCC1", "O=C1CCC1", "O=C1CCCC1", "O=C1CCCO1", "O=C1CCCN1",
    "O=C1CCN1", "O=C1C=CCC1", "O=C1CCCCC1", "O=C1COCN1", "O=C1CNC(=O)N1",
    # two rings and more
    "C1CC2CC2C1", "C1CC2OC2C1", "C1CC2NC2C1", "C1CC12CC2", "C1CC12CCC2", "C1OCC12CC2", "C1CC2CC1C2", "C1CC2CCC1C2",
    "C1CC2CCC2C1", "C1CC2CCCC2C1", "C1CC2CCC1O2", "C1CC2CCC1N2", "C1CC2CC(C1)C2",
    "C1=CC2CCC1C2", "C1CC12COC2",
    # aromatic
    "c1ccccc1", "c1ccncc1", "c1cncnc1", "c1cnccn1", "c1ccnnc1", "c1ccoc1", "c1cc[nH]c1", "c1cnc[nH]1", "c1cn[nH]c1",
    "c1cocn1", "c1cnoc1", "c1nc[nH]n1", "c1nnco1", "c1ncno1", "c1c[nH]nn1", "c1ccc2[nH]ccc2c1", "c1ccc2occc2c1",
    "O=c1cc[nH]cc1", "O=c1cccc[nH]1", "O=c1ccocc1", "c1cc2CCCn2c1", "c1cc2CCCc2o1",
)  # fmt: skip
"""Core structures of QM9-like molecules: C, N and O, nine heavy atoms at most."""

SUBSTITUENTS = (
    "C", "C", "C", "CC", "C(C)C", "C=C", "C#C", "C#N", "C=O", "C(C)=O", "C(N)=O", "C(=O)O", "C(=O)OC", "O", "O", "OC",
    "OCC", "N", "N", "NC", "N(C)C", "F", "C(F)F", "C(F)(F)F", "CO", "CN", "COC", "CF", "NC=O", "NC(C)=O", "OC=O",
    "OC(C)=O", "C1CC1", "C1CO1", "C1CN1", "C1COC1", "CC#N", "CC#C", "C=NO",
)  # fmt: skip
"""Substituents of QM9-like molecules, attached by their first atom; repeated entries are drawn more often."""

RING_SYSTEMS = (
    # aromatic rings of six
    "c1ccccc1", "c1ccccc1", "c1ccccc1", "c1ccncc1", "c1ccncc1", "c1cncnc1", "c1cnccn1", "c1ccnnc1",
    # of five
    "c1ccoc1", "c1ccsc1", "c1cc[nH]c1", "c1cnc[nH]1", "c1cn[nH]c1", "c1cscn1", "c1cocn1", "c1cnoc1", "c1nncs1",
    "c1nnco1", "c1nc[nH]n1", "c1ncno1",
    # two fused
    "c1ccc2[nH]ccc2c1", "c1ccc2occc2c1", "c1ccc2sccc2c1", "c1ccc2[nH]cnc2c1", "c1ccc2[nH]ncc2c1", "c1ccc2ncccc2c1",
    "c1ccc2cnccc2c1", "c1ccc2ncncc2c1", "c1ccc2nccnc2c1", "c1ccc2c(c1)OCO2", "c1ccc2c(c1)OCCO2", "c1ccc2c(c1)CCN2",
    "c1ccc2c(c1)CNCC2", "c1ccc2scnc2c1", "c1cnc2[nH]ccc2c1", "c1cc2cccnn2c1", "c1cn2ccccc2n1", "c1ccc2ccccc2c1",
    "O=c1[nH]cnc2ccccc12", "O=C1Cc2ccccc2N1", "O=c1ccoc2ccccc12",
    # saturated
    "C1CCNCC1", "C1CCNCC1", "C1CNCCN1", "C1CNCCN1", "C1COCCN1", "C1COCCN1", "C1CCNC1", "C1CNC1", "C1CCCCC1", "C1CCCC1",
    "C1CC1", "C1CCOCC1", "C1CCOC1", "C1COC1", "O=C1CCCN1", "O=C1CCCCN1", "O=C1CNC(=O)N1", "C1CC2CCC1N2", "C1CC12CCNCC2",
)  # fmt: skip
"""Ring systems of drug-like molecules; repeated entries are drawn more often."""

DIRECT_BOND = "**"
"""Linker of two rings that are bonded to each other directly."""

LINKERS = (
    DIRECT_BOND, DIRECT_BOND, "*C*", "*C*", "*O*", "*N*", "*CO*", "*OC*", "*CN*", "*NC*", "*C(=O)*", "*C(=O)N*",
    "*C(=O)N*",
    "*NC(=O)*", "*NC(=O)*", "*C(=O)NC*", "*CNC(=O)*", "*CC(=O)N*", "*NC(=O)C*", "*S(=O)(=O)*", "*S(=O)(=O)N*",
    "*NS(=O)(=O)*", "*NC(=O)N*", "*CC*", "*OCC*", "*C(C)*", "*SC*", "*C(=O)C=C*", "*OC(=O)*",
)  # fmt: skip
"""Linkers between two rings of a drug-like molecule; the dummy atoms ``*`` stand for the rings."""

DECORATIONS = (
    "C", "C", "C", "F", "F", "F", "Cl", "Cl", "Br", "OC", "OC", "O", "N", "C#N", "C(F)(F)F", "OC(F)(F)F", "OC(F)F",
    "CC", "C(C)C", "C(C)(C)C", "C1CC1", "N(C)C", "NC", "NC(C)=O", "C(C)=O", "C(N)=O", "C(=O)O", "C(=O)OC",
    "S(C)(=O)=O", "S(N)(=O)=O", "SC", "CO", "COC", "CN(C)C", "[N+](=O)[O-]", "C=O", "OCC", "C#C",
)  # fmt: skip
"""Substituents on the rings of drug-like molecules, attached by their first atom."""
