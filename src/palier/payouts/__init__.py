"""Pay-outs: money that leaves for bank accounts, approved by two people and collected into bank files."""
