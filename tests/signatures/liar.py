"""A child that greets like a verifier and then says what nobody asked."""

import argparse
import socket

from node.signatures.claims import GREETING_NUMBER, HEAD, encode_answer

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--fd", type=int)
    with socket.socket(fileno=parser.parse_args().fd) as connected:
        connected.sendall(encode_answer(GREETING_NUMBER, []))
        connected.recv(HEAD.size)
        connected.sendall(encode_answer(77, [True]))
